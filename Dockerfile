FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm install --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY . .
USER node
EXPOSE 4600
CMD ["node", "server.ts"]
